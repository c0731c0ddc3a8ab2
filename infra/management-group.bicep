// The app's roles on a management group, for every cluster below it:
//
//   az deployment mg create --management-group-id platform --location westeurope \
//     --template-file infra/management-group.bicep --parameters name=egress principalId=…
//
// The app itself is deployed with subscriptionIds=[] then; principalId is an output of that deployment.
targetScope = 'managementGroup'

@description('Short name of the installation.')
@minLength(3)
@maxLength(12)
param name string

@description('Principal of the app\'s identity.')
param principalId string

@description('exact or wildcard: see main.bicep.')
@allowed([
  'exact'
  'wildcard'
])
param clusterRead string = 'exact'

@description('Also grants the role for live probes: see main.bicep.')
param probeRole bool = false

// The same list the app's table of Azure operations holds; a test compares the two.
var exactActions = loadTextContent('role-actions.json')
var endpointsRead = 'Microsoft.ContainerService/managedClusters/outboundNetworkDependenciesEndpoints/read'
var wildcardActions = replace(exactActions, endpointsRead, 'Microsoft.ContainerService/managedClusters/*/read')

var reader = {
  key: 'reader'
  name: 'AKS Egress Diagnostics Reader'
  description: 'Reads what a report on the egress of an AKS cluster needs. Changes nothing.'
  actions: json(clusterRead == 'exact' ? exactActions : wildcardActions)
}

var probe = {
  key: 'probe'
  name: 'AKS Egress Diagnostics Probe'
  description: 'Runs a command inside an AKS cluster and reads what it printed.'
  actions: loadJsonContent('probe-actions.json')
}

var roles = probeRole ? [
  reader
  probe
] : [
  reader
]

resource definitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [for role in roles: {
  name: guid(managementGroup().id, name, role.key)
  properties: {
    roleName: '${role.name} (${name}, ${managementGroup().name})'
    description: role.description
    type: 'CustomRole'
    permissions: [
      {
        actions: role.actions
        notActions: []
      }
    ]
    assignableScopes: [
      managementGroup().id
    ]
  }
}]

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (role, index) in roles: {
  name: guid(managementGroup().id, principalId, name, role.key)
  properties: {
    roleDefinitionId: definitions[index].id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]

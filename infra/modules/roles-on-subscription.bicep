// Custom roles on one subscription, and their assignment to the app's identity.
targetScope = 'subscription'

@description('Short name of the installation.')
param name string

@description('Principal that gets the roles.')
param principalId string

@description('exact or wildcard: see main.bicep.')
param clusterRead string

@description('Whether the role for live probes is given as well.')
param probeRole bool

// The same list the app's table of Azure operations holds; a test compares the two.
var exactActions = loadTextContent('../role-actions.json')
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
  actions: loadJsonContent('../probe-actions.json')
}

var roles = probeRole ? [
  reader
  probe
] : [
  reader
]

resource definitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [for role in roles: {
  name: guid(subscription().id, name, role.key)
  properties: {
    roleName: '${role.name} (${name}, ${subscription().subscriptionId})'
    description: role.description
    type: 'CustomRole'
    permissions: [
      {
        actions: role.actions
        notActions: []
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}]

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (role, index) in roles: {
  name: guid(subscription().id, principalId, name, role.key)
  properties: {
    roleDefinitionId: definitions[index].id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]

// The read role on one subscription, and its assignment to the app's identity.
targetScope = 'subscription'

@description('Short name of the installation.')
param name string

@description('Principal that gets the role.')
param principalId string

@description('exact or wildcard: see main.bicep.')
param clusterRead string

// The same list the app's table of Azure operations holds; a test compares the two.
var exactActions = loadTextContent('../role-actions.json')
var endpointsRead = 'Microsoft.ContainerService/managedClusters/outboundNetworkDependenciesEndpoints/read'
var wildcardActions = replace(exactActions, endpointsRead, 'Microsoft.ContainerService/managedClusters/*/read')

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, name, 'aks-egress-diagnostics-reader')
  properties: {
    roleName: 'AKS Egress Diagnostics Reader (${name}, ${subscription().subscriptionId})'
    description: 'Reads what a report on the egress of an AKS cluster needs. Changes nothing.'
    type: 'CustomRole'
    permissions: [
      {
        actions: json(clusterRead == 'exact' ? exactActions : wildcardActions)
        notActions: []
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, role.id)
  properties: {
    roleDefinitionId: role.id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

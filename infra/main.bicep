// AKS Egress Diagnostics: a Flex Consumption function app that may read what its reports need, and nothing else.
//
//   azd up
// or
//   az deployment sub create --location westeurope --template-file infra/main.bicep --parameters name=egress
targetScope = 'subscription'

@description('Short name of the installation; the names of its resources are made from it.')
@minLength(3)
@maxLength(12)
param name string

@description('Region of all resources. It must offer Flex Consumption.')
param location string = deployment().location

@description('Resource group to create or reuse.')
param resourceGroupName string = 'rg-${name}'

@description('Subscriptions whose clusters are diagnosed: the identity gets its read role on each, and the app refuses every other. Empty: no role is given here (management-group.bicep gives it), and the app answers for all its identity can read.')
param subscriptionIds array = [
  subscription().subscriptionId
]

@description('exact: the role holds the read actions used and nothing more. wildcard: the action for a cluster\'s required endpoints, which Azure\'s catalogue of operations may not list yet, is granted as managedClusters/*/read. Use it when Azure refuses the role with InvalidActionOrNotAction.')
@allowed([
  'exact'
  'wildcard'
])
param clusterRead string = 'exact'

@description('Also grants the role for live probes, which run a command inside a cluster. A role of its own: reading needs none of it.')
param probeRole bool = false

@description('Memory of one instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 512

@description('Most instances that may run at once.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances kept warm for HTTP calls, so that an alert is acknowledged without a cold start. 0 scales to zero and costs nothing at rest.')
@minValue(0)
@maxValue(40)
param alwaysReadyInstances int = 1

@description('Seconds one report may take; the caller gets what is known by then.')
@minValue(10)
@maxValue(200)
param deadlineSeconds int = 100

@description('Seconds one cluster\'s report is shared between callers; 0 turns sharing off.')
@minValue(0)
@maxValue(3600)
param cacheSeconds int = 30

@description('Whether a timer diagnoses every cluster of the subscriptions once an hour.')
param sweep bool = true

@description('Signs the ids of diagnoses that are made later. With another key, ids that still wait for their result are not known any more.')
@secure()
param idKey string = newGuid()

@description('Webhook (https) that is told of what alerts and the sweep found, such as a Teams workflow; empty = nobody.')
@secure()
param notifyUrl string = ''

@description('What the webhook gets: a message with an Adaptive Card, as Teams workflows take it, or the stored result.')
@allowed(['adaptive-card', 'json'])
param notifyFormat string = 'adaptive-card'

@description('Client id of an Entra app registration. When given, callers need one of its tokens as well as a function key; only health stays open.')
param entraClientId string = ''

@description('Client ids of the applications and managed identities that may call; empty lets every application of the tenant that gets a token. Used with entraClientId only.')
param entraAllowedClientIds array = []

@description('Address ranges that may call, such as 203.0.113.0/24. Empty, and no service tags either: everybody with a key.')
param allowedAddresses array = []

@description('Service tags that may call: ActionGroup for alerts, LogicApps, a region\'s AzureCloud.')
param allowedServiceTags array = []

@description('true: storage is reached through private endpoints only, and the app sends from a virtual network of its own.')
param privateNetworking bool = false

@description('Address spaces of that virtual network and of its two subnets. The app\'s subnet needs one address for each instance.')
param addressPrefixes object = {
  network: '10.114.0.0/24'
  app: '10.114.0.0/25'
  endpoints: '10.114.0.128/27'
}

@description('Days that logs, telemetry and stored results are kept.')
@minValue(30)
@maxValue(730)
param retentionInDays int = 30

@description('Tags of all resources.')
param tags object = {}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  name: '${name}-identity'
  params: {
    name: name
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: '${name}-monitoring'
  params: {
    name: name
    location: location
    tags: tags
    retentionInDays: retentionInDays
    principalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  name: '${name}-storage'
  params: {
    name: name
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    privateOnly: privateNetworking
    retentionInDays: retentionInDays
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  scope: group
  name: '${name}-network'
  params: {
    name: name
    location: location
    tags: tags
    addressPrefixes: addressPrefixes
    storageAccountName: storage.outputs.accountName
  }
}

module app 'modules/function-app.bicep' = {
  scope: group
  name: '${name}-app'
  params: {
    name: name
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageAccountName: storage.outputs.accountName
    packageContainerUrl: storage.outputs.packageContainerUrl
    insightsConnectionString: monitoring.outputs.connectionString
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    subscriptionIds: subscriptionIds
    deadlineSeconds: deadlineSeconds
    cacheSeconds: cacheSeconds
    sweep: sweep
    idKey: idKey
    notifyUrl: notifyUrl
    notifyFormat: notifyFormat
    allowedAddresses: allowedAddresses
    allowedServiceTags: allowedServiceTags
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
  }
}

module entra 'modules/entra.bicep' = if (!empty(entraClientId)) {
  scope: group
  name: '${name}-entra'
  params: {
    functionAppName: app.outputs.name
    clientId: entraClientId
    allowedClientIds: entraAllowedClientIds
  }
}

module subscriptionRoles 'modules/roles-on-subscription.bicep' = [for subscriptionId in subscriptionIds: {
  scope: subscription(subscriptionId)
  name: '${name}-roles'
  params: {
    name: name
    principalId: identity.outputs.principalId
    clusterRead: clusterRead
    probeRole: probeRole
  }
}]

@description('Name of the function app: what `az functionapp` commands take.')
output functionAppName string = app.outputs.name

@description('Base URL of the API.')
output apiUrl string = 'https://${app.outputs.hostName}/api'

@description('Resource group of the installation.')
output resourceGroupName string = group.name

@description('The same, as azd looks for it.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Principal that holds the read role, for granting it on further scopes.')
output principalId string = identity.outputs.principalId

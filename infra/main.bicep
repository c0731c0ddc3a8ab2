// AKS Egress Diagnostics: a Flex Consumption function app that may read what its reports need, and nothing else.
//
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

@description('Subscriptions whose clusters are diagnosed. The identity gets its read role on each, and every other subscription is refused by the app.')
@minLength(1)
param subscriptionIds array = [
  subscription().subscriptionId
]

@description('exact: the role holds the read actions used and nothing more. wildcard: the action for a cluster\'s required endpoints, which Azure\'s catalogue of operations may not list yet, is granted as managedClusters/*/read. Use it when Azure refuses the role with InvalidActionOrNotAction.')
@allowed([
  'exact'
  'wildcard'
])
param clusterRead string = 'exact'

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

@description('Seconds one report may take; the caller gets what is known by then.')
@minValue(10)
@maxValue(200)
param deadlineSeconds int = 100

@description('Seconds one cluster\'s report is shared between callers; 0 turns sharing off.')
@minValue(0)
@maxValue(3600)
param cacheSeconds int = 30

@description('Days that logs and telemetry are kept.')
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
    subscriptionIds: subscriptionIds
    deadlineSeconds: deadlineSeconds
    cacheSeconds: cacheSeconds
  }
}

module reader 'modules/reader-role.bicep' = [for subscriptionId in subscriptionIds: {
  scope: subscription(subscriptionId)
  name: '${name}-reader'
  params: {
    name: name
    principalId: identity.outputs.principalId
    clusterRead: clusterRead
  }
}]

@description('Name of the function app: what `az functionapp` commands take.')
output functionAppName string = app.outputs.name

@description('Base URL of the API.')
output apiUrl string = 'https://${app.outputs.hostName}/api'

@description('Resource group of the installation.')
output resourceGroupName string = group.name

@description('Principal that holds the read role, for granting it on further scopes.')
output principalId string = identity.outputs.principalId

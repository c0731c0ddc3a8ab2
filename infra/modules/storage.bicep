// Storage of the Functions host (function keys, leases), the deployment package, the work queue and its results.
// No shared key: identities only.

@description('Short name of the installation.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Principal that runs the app.')
param principalId string

@description('Whether the account is reached through private endpoints only.')
param privateOnly bool

@description('Days that stored results are kept.')
param retentionInDays int

// packages: the deployment package. egress-results: finished diagnoses. egress-latest: the last one of each cluster.
// egress-fleet: one row per cluster for the overview.
var containerNames = [
  'packages'
  'egress-results'
  'egress-latest'
  'egress-fleet'
]

// What waits, and what failed for good, under the name the Functions host gives that.
var queueNames = [
  'egress-alerts'
  'egress-alerts-poison'
  'egress-diagnoses'
  'egress-diagnoses-poison'
  'egress-notifications'
  'egress-notifications-poison'
]

var builtInRoles = [
  // Storage Blob Data Owner: the Functions host's own state, the package, results, and reading the overview's rows.
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  // Storage Queue Data Contributor: waiting work.
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
]

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: take('st${toLower(replace(name, '-', ''))}${uniqueString(resourceGroup().id)}', 24)
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateOnly ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      // Without private networking the app has no fixed address to come from; access needs an identity with a role.
      defaultAction: privateOnly ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [for containerName in containerNames: {
  parent: blobs
  name: containerName
  properties: {
    publicAccess: 'None'
  }
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [for queueName in queueNames: {
  parent: queueService
  name: queueName
}]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'old-results'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'egress-results/'
                'egress-latest/'
                'egress-fleet/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: retentionInDays
                }
              }
            }
          }
        }
      ]
    }
  }
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for roleId in builtInRoles: {
  scope: account
  name: guid(account.id, principalId, roleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]

output accountName string = account.name
output packageContainerUrl string = '${account.properties.primaryEndpoints.blob}${containers[0].name}'

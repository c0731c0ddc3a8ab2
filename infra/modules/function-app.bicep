// The Flex Consumption plan and the function app with its custom handler.

@description('Short name of the installation.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the identity that runs the app.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('Storage account of the Functions host.')
param storageAccountName string

@description('URL of the blob container with the deployment package.')
param packageContainerUrl string

@description('Connection string of Application Insights: an address, not a secret; sending needs the identity.')
param insightsConnectionString string

@description('Memory of one instance in MB.')
param instanceMemoryMB int

@description('Most instances that may run at once.')
param maximumInstanceCount int

@description('Instances kept warm for HTTP calls.')
param alwaysReadyInstances int

@description('Subscriptions whose clusters are diagnosed; empty for all the identity can read.')
param subscriptionIds array

@description('Seconds one report may take.')
param deadlineSeconds int

@description('Seconds one report is shared.')
param cacheSeconds int

@description('Whether the timer diagnoses all clusters.')
param sweep bool

@description('Signs the ids of diagnoses that are made later.')
@secure()
param idKey string

@description('Webhook that is told of results; empty = nobody.')
@secure()
param notifyUrl string

@description('What that webhook gets: adaptive-card or json.')
param notifyFormat string

@description('Address ranges that may call.')
param allowedAddresses array

@description('Service tags that may call.')
param allowedServiceTags array

@description('Subnet the app sends from; empty for none.')
param subnetId string

var clouds = {
  AzureCloud: 'public'
  AzureChinaCloud: 'china'
  AzureUSGovernment: 'usgov'
}

var addressRules = [for (address, index) in allowedAddresses: {
  name: 'address-${index}'
  action: 'Allow'
  priority: 100 + index
  tag: 'Default'
  ipAddress: address
}]

var tagRules = [for (serviceTag, index) in allowedServiceTags: {
  name: 'tag-${index}'
  action: 'Allow'
  priority: 500 + index
  tag: 'ServiceTag'
  ipAddress: serviceTag
}]

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${name}-${uniqueString(resourceGroup().id)}'
  location: location
  // azd finds the app by this tag.
  tags: union(tags, {
    'azd-service-name': 'api'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances == 0 ? [] : [
          {
            // All HTTP functions together.
            name: 'http'
            instanceCount: alwaysReadyInstances
          }
        ]
      }
    }
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ipSecurityRestrictions: concat(addressRules, tagRules)
      ipSecurityRestrictionsDefaultAction: empty(allowedAddresses) && empty(allowedServiceTags) ? 'Allow' : 'Deny'
      // Deploying is guarded by identity; callers' addresses are none of its business.
      scmIpSecurityRestrictionsUseMain: false
      appSettings: [
        {
          name: 'AzureWebJobsStorage__accountName'
          value: storageAccountName
        }
        {
          name: 'AzureWebJobsStorage__credential'
          value: 'managedidentity'
        }
        {
          name: 'AzureWebJobsStorage__clientId'
          value: identityClientId
        }
        {
          name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
          value: insightsConnectionString
        }
        {
          name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
          value: 'ClientId=${identityClientId};Authorization=AAD'
        }
        {
          name: 'AZURE_CLIENT_ID'
          value: identityClientId
        }
        {
          name: 'EGRESS_CLOUD'
          value: clouds[environment().name]
        }
        {
          name: 'EGRESS_ALLOWED_SUBSCRIPTIONS'
          value: join(subscriptionIds, ',')
        }
        {
          name: 'EGRESS_DEADLINE_SECONDS'
          value: string(deadlineSeconds)
        }
        {
          name: 'EGRESS_CACHE_SECONDS'
          value: string(cacheSeconds)
        }
        {
          name: 'EGRESS_SWEEP'
          value: sweep ? 'on' : 'off'
        }
        {
          name: 'EGRESS_ID_KEY'
          value: idKey
        }
        {
          name: 'EGRESS_NOTIFY_URL'
          value: notifyUrl
        }
        {
          name: 'EGRESS_NOTIFY_FORMAT'
          value: notifyFormat
        }
      ]
    }
  }
}

// Packages are deployed with Entra identities; user name and password are switched off.
resource scmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

resource ftpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

output name string = app.name
output hostName string = app.properties.defaultHostName

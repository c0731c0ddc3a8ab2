// Callers show a token of an Entra app registration before the function key is looked at.

@description('The function app.')
param functionAppName string

@description('Client id of the app registration.')
param clientId string

@description('Client ids that may call; empty for every application that gets a token.')
param allowedClientIds array

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  // checkov:skip=CKV_AZURE_13: this is the authentication
  // checkov:skip=CKV_AZURE_63: logs go to Application Insights
  // checkov:skip=CKV_AZURE_65: the same
  // checkov:skip=CKV_AZURE_66: the same
  // checkov:skip=CKV_AZURE_80: there is no .NET
  // checkov:skip=CKV_AZURE_88: nothing is kept in files
  name: '${functionAppName}/authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: true
      // Callers are machines: a status, not a sign-in page.
      unauthenticatedClientAction: 'Return401'
      excludedPaths: [
        '/api/health'
      ]
    }
    httpSettings: {
      requireHttps: true
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: clientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            clientId
            'api://${clientId}'
          ]
          defaultAuthorizationPolicy: empty(allowedClientIds) ? {} : {
            allowedApplications: allowedClientIds
          }
        }
      }
    }
  }
}

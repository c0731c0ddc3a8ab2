// A Logic App between an alert and a Teams channel: asks for a diagnosis, waits for it, posts the verdict.
//
//   az deployment group create --resource-group rg-egress --template-file infra/samples/logic-app/main.bicep \
//     --parameters apiUrl=… functionKey=… teamsUrl=…
//
// Alerts reach it through an action group with a Logic App receiver and the common alert schema.

@description('Name of the Logic App.')
param name string = 'logic-egress'

@description('Region.')
param location string = resourceGroup().location

@description('Base URL of the API.')
param apiUrl string

@description('A function key of the app.')
@secure()
param functionKey string

@description('URL of a Teams workflow that posts what it receives to a channel.')
@secure()
param teamsUrl string

@description('Address ranges that may start the workflow. Its URL is the only other guard. Empty: everybody who knows the URL.')
param allowedAddresses array = []

@description('Tags.')
param tags object = {}

var callers = [for address in allowedAddresses: {
  addressRange: address
}]

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    state: 'Enabled'
    definition: loadJsonContent('workflow.json')
    parameters: {
      apiUrl: {
        value: apiUrl
      }
      functionKey: {
        value: functionKey
      }
      teamsUrl: {
        value: teamsUrl
      }
    }
    accessControl: empty(allowedAddresses) ? {} : {
      triggers: {
        allowedCallerIpAddresses: callers
      }
    }
  }
}

output workflowId string = workflow.id

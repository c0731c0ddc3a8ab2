// Alert rules on what carries one cluster's egress, and an action group that hands the alerts to the function app.
// Deployed after the app and its package, into the app's resource group, once for each cluster:
//
//   az deployment group create --resource-group rg-egress --template-file infra/alerts.bicep --parameters name=shop \
//     functionAppName=… apiUrl=… clusterId=… loadBalancerIds='["…"]' snatPortsPerNode=1024
//
// The report names the load balancer, NAT gateways and firewalls (snat.resourceIds) and snat.allocatedPerNode.

@description('Short name of the cluster; the names of the rules are made from it.')
@minLength(1)
@maxLength(12)
param name string

@description('The function app, in this resource group.')
param functionAppName string

@description('Base URL of its API.')
param apiUrl string

@description('ARM id of the cluster. It travels with every alert, so that the right cluster is diagnosed whatever raised it.')
param clusterId string

@description('Load balancers with the cluster\'s outbound rules.')
param loadBalancerIds array = []

@description('NAT gateways of the cluster\'s subnets.')
param natGatewayIds array = []

@description('Azure Firewalls on the cluster\'s default route.')
param firewallIds array = []

@description('SNAT ports that the load balancer gives one node: the outbound rule\'s number, or the automatic one for the pool\'s size. A metric alert cannot divide one metric by another.')
@minValue(8)
@maxValue(64000)
param snatPortsPerNode int = 1024

@description('Percent of SNAT ports in use from which on an alert is raised.')
@minValue(1)
@maxValue(99)
param snatPercent int = 80

@description('Entra app registration that the function app asks tokens of (clientId, objectId); empty when function keys are enough.')
param entra object = {}

@description('Tags.')
param tags object = {}

var rules = loadJsonContent('alerts/rules.json')
var thresholds = {
  percent: snatPercent
  shareOfPortsPerNode: snatPortsPerNode * snatPercent / 100
}

// The key of this one function: it opens no other.
var functionId = resourceId('Microsoft.Web/sites/functions', functionAppName, 'alerts')
var url = '${apiUrl}/alerts?code=${listKeys(functionId, '2024-04-01').default}'

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-egress-${name}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: name
    azureFunctionReceivers: empty(entra) ? [
      {
        name: 'diagnose'
        functionAppResourceId: resourceId('Microsoft.Web/sites', functionAppName)
        functionName: 'alerts'
        httpTriggerUrl: url
        useCommonAlertSchema: true
      }
    ] : []
    webhookReceivers: empty(entra) ? [] : [
      {
        name: 'diagnose'
        serviceUri: url
        useCommonAlertSchema: true
        useAadAuth: true
        objectId: entra.objectId
        identifierUri: 'api://${entra.clientId}'
        tenantId: tenant().tenantId
      }
    ]
  }
}

module loadBalancerAlerts 'modules/metric-alerts.bicep' = [for (id, index) in loadBalancerIds: {
  name: 'egress-${name}-lb-${index}'
  params: {
    name: name
    resourceId: id
    rules: rules.loadBalancers
    thresholds: thresholds
    clusterId: clusterId
    actionGroupId: actionGroup.id
    tags: tags
  }
}]

module natGatewayAlerts 'modules/metric-alerts.bicep' = [for (id, index) in natGatewayIds: {
  name: 'egress-${name}-nat-${index}'
  params: {
    name: name
    resourceId: id
    rules: rules.natGateways
    thresholds: thresholds
    clusterId: clusterId
    actionGroupId: actionGroup.id
    tags: tags
  }
}]

module firewallAlerts 'modules/metric-alerts.bicep' = [for (id, index) in firewallIds: {
  name: 'egress-${name}-fw-${index}'
  params: {
    name: name
    resourceId: id
    rules: rules.azureFirewalls
    thresholds: thresholds
    clusterId: clusterId
    actionGroupId: actionGroup.id
    tags: tags
  }
}]

output actionGroupId string = actionGroup.id

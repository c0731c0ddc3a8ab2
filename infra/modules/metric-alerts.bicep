// Metric alerts on one resource that carries a cluster's egress.

@description('Short name of the cluster.')
param name string

@description('The resource that is watched.')
param resourceId string

@description('What is watched: the list for its type in alerts/rules.json.')
param rules array

@description('Thresholds that a rule takes by name.')
param thresholds object

@description('ARM id of the cluster.')
param clusterId string

@description('Whom the alerts go to.')
param actionGroupId string

@description('Tags.')
param tags object

resource alerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for rule in rules: {
  name: 'egress-${name}-${rule.name}-${last(split(resourceId, '/'))}-${take(uniqueString(resourceId), 4)}'
  location: 'global'
  tags: tags
  properties: {
    description: rule.description
    enabled: true
    severity: rule.severity
    scopes: [
      resourceId
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: rule.name
          metricNamespace: rule.metricNamespace
          metricName: rule.metricName
          timeAggregation: rule.timeAggregation
          operator: rule.operator
          threshold: contains(rule, 'threshold') ? rule.threshold : thresholds[rule.thresholdIs]
          dimensions: rule.dimensions
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
        // Arrive as customProperties of the alert.
        webHookProperties: {
          clusterResourceId: clusterId
        }
      }
    ]
  }
}]

#Requires -Version 5.1
<#
.SYNOPSIS
Azure Automation runbook behind a webhook: takes an alert of the common alert schema and hands it to the diagnosis.

.DESCRIPTION
Make it a runbook of type PowerShell 5.1: PowerShell 7 runbooks receive webhook data that is no valid JSON.
The URL of the webhook is the only thing that guards it; keep it secret.

.PARAMETER WebhookData
Filled in by Azure Automation.

.PARAMETER ApiUrl
Base URL of the API.

.PARAMETER KeyVariable
Automation variable that holds the function key.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $false)]
    [object] $WebhookData,

    [Parameter(Mandatory = $true)]
    [ValidatePattern('^https?://')]
    [string] $ApiUrl,

    [string] $KeyVariable = 'EgressDiagnosticsKey'
)

$ErrorActionPreference = 'Stop'
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

if (-not $WebhookData) { throw 'Started by hand: this runbook is for a webhook. Get-EgressDiagnosis.ps1 is for people.' }
# The test pane hands over text, a webhook an object.
if ($WebhookData -is [string]) {
    try { $WebhookData = ConvertFrom-Json -InputObject $WebhookData }
    catch { throw 'The webhook data is no valid JSON. Set the runbook''s type to PowerShell 5.1.' }
}
$body = [string] $WebhookData.RequestBody
if (-not $body) { throw 'The webhook was called without a body.' }

try { $alert = ConvertFrom-Json -InputObject $body }
catch { throw 'The webhook''s body is no valid JSON.' }
if ($alert.schemaId -ne 'azureMonitorCommonAlertSchema') { Write-Warning 'Not the common alert schema: turn it on in the action group.' }

# Passed on as it came: reading an alert, and telling that it came twice, is the app's work.
$answer = Invoke-RestMethod -Method Post -Uri ($ApiUrl.TrimEnd('/') + '/alerts') -ContentType 'application/json; charset=utf-8' `
    -Headers @{ 'x-functions-key' = (Get-AutomationVariable -Name $KeyVariable) } -Body ([Text.Encoding]::UTF8.GetBytes($body)) -TimeoutSec 30
'Alert {0} ({1}) handed over.' -f $alert.data.essentials.alertRule, $alert.data.essentials.monitorCondition
$answer

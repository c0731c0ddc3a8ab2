#Requires -Version 5.1
<#
.SYNOPSIS
Diagnoses the egress of an AKS cluster, prints the verdict and fails when egress is blocked.

.DESCRIPTION
Runs at a prompt and as an Azure Automation runbook, with Windows PowerShell 5.1 and PowerShell 7.
Shows a function key, a token of the account's managed identity, or both: an app that asks for Entra tokens asks for its
function key as well.

.PARAMETER ClusterId
ARM id of the cluster.

.PARAMETER ApiUrl
Base URL of the API: the deployment's output apiUrl, e.g. https://func-egress-abc.azurewebsites.net/api.

.PARAMETER FunctionKey
A function key. In a runbook, leave it out and store it in the encrypted Automation variable named by KeyVariable.

.PARAMETER KeyVariable
Automation variable that holds the function key.

.PARAMETER Audience
Client id of the Entra app registration that guards the app. Given: a token of the managed identity is sent.

.PARAMETER Window
How far back metrics are read, as an ISO 8601 duration.

.PARAMETER Pattern
What has been seen: persistent or intermittent failures.

.PARAMETER PassThru
Gives the report itself in place of lines for people.

.OUTPUTS
Lines for people, or with PassThru the report.

.EXAMPLE
./Get-EgressDiagnosis.ps1 -ClusterId $id -ApiUrl $api -FunctionKey $key
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)]
    [ValidatePattern('(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ContainerService/managedClusters/[^/]+$')]
    [string] $ClusterId,

    [Parameter(Mandatory = $true)]
    [ValidatePattern('^https?://')]
    [string] $ApiUrl,

    [string] $FunctionKey,

    [string] $KeyVariable = 'EgressDiagnosticsKey',

    [string] $Audience,

    [ValidatePattern('^P')]
    [string] $Window = 'PT6H',

    [ValidateSet('', 'persistent', 'intermittent')]
    [string] $Pattern = '',

    [switch] $PassThru
)

$ErrorActionPreference = 'Stop'
# Windows PowerShell does not offer TLS 1.2 by itself on every machine.
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

function Get-IdentityToken([string] $Resource) {
    $uri = '{0}?resource={1}&api-version=2019-08-01' -f $env:IDENTITY_ENDPOINT, [Uri]::EscapeDataString($Resource)
    $answer = Invoke-RestMethod -Uri $uri -Headers @{ 'X-IDENTITY-HEADER' = $env:IDENTITY_HEADER; Metadata = 'true' }
    $answer.access_token
}

function Get-ProblemText($ErrorRecord) {
    # PowerShell 7 has read the body already; 5.1 leaves it in the response.
    $body = ''
    if ($ErrorRecord.ErrorDetails) { $body = $ErrorRecord.ErrorDetails.Message }
    elseif ($ErrorRecord.Exception.Response -is [Net.HttpWebResponse]) {
        $reader = New-Object IO.StreamReader($ErrorRecord.Exception.Response.GetResponseStream())
        $body = $reader.ReadToEnd()
    }
    try {
        $problem = ConvertFrom-Json -InputObject $body
        if ($problem.code) { return '{0}: {1} (request {2})' -f $problem.code, $problem.detail, $problem.requestId }
    }
    catch { Write-Verbose 'The error is not described by the app.' }
    $ErrorRecord.Exception.Message
}

$headers = @{}
$inAutomation = [bool] (Get-Command -Name Get-AutomationVariable -ErrorAction SilentlyContinue)
if (-not $FunctionKey -and $inAutomation) { $FunctionKey = Get-AutomationVariable -Name $KeyVariable }
if ($FunctionKey) { $headers['x-functions-key'] = $FunctionKey }
if ($Audience) { $headers['Authorization'] = 'Bearer ' + (Get-IdentityToken "api://$Audience") }

$question = @{ clusterId = $ClusterId; window = $Window }
if ($Pattern) { $question['pattern'] = $Pattern }

try {
    $report = Invoke-RestMethod -Method Post -Uri ($ApiUrl.TrimEnd('/') + '/egress/report') -Headers $headers `
        -ContentType 'application/json' -Body (ConvertTo-Json -InputObject $question) -TimeoutSec 220
}
catch {
    throw 'No diagnosis of {0}: {1}' -f $ClusterId, (Get-ProblemText $_)
}

if ($PassThru) { $report }
else {
    '{0}: {1}' -f $report.verdict.status, $report.verdict.headline
    foreach ($finding in $report.findings) {
        if ($finding.severity -eq 'info') { continue }
        '{0} {1} {2}' -f $finding.severity, $finding.code, $finding.title
        foreach ($remediation in $finding.remediation) {
            '    {0}' -f $remediation.summary
            foreach ($command in $remediation.commands) { '    $ {0}' -f $command }
        }
    }
}
foreach ($gap in $report.gaps) { Write-Warning ('Not read: {0} ({1})' -f $gap.what, $gap.cause) }

if ($report.verdict.status -eq 'blocked') { throw 'Egress of {0} is blocked: {1}' -f $ClusterId, $report.verdict.headline }
if ($report.verdict.status -ne 'healthy') { Write-Warning ('Egress is {0}.' -f $report.verdict.status) }

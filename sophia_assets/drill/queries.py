"""The questions to Dagster's webserver, in its GraphQL."""

from __future__ import annotations

_RUN = "runId jobName status creationTime endTime tags { key value }"
_ERROR = "__typename ... on Error { message }"
_METADATA = """
metadataEntries {
  label
  ... on TextMetadataEntry { text }
  ... on MarkdownMetadataEntry { mdStr }
  ... on TimestampMetadataEntry { timestamp }
}
"""

LOCATION = """
query ($location: String!) { workspaceLocationEntryOrError(name: $location) {
  ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } }
} }
"""
SENSORS = f"""
query ($repository: RepositorySelector!) {{ sensorsOrError(repositorySelector: $repository) {{
  {_ERROR} ... on Sensors {{ results {{ name sensorState {{ id status }} }} }}
}} }}
"""
STOP_SENSOR = f"""
mutation ($id: String!) {{ stopSensor(id: $id) {{
  {_ERROR} ... on StopSensorMutationResult {{ instigationState {{ status }} }}
}} }}
"""
RUNS = f"""
query ($filter: RunsFilter!, $limit: Int!) {{ runsOrError(filter: $filter, limit: $limit) {{
  {_ERROR} ... on Runs {{ results {{ {_RUN} }} }}
}} }}
"""
RUN = f"query ($id: ID!) {{ runOrError(runId: $id) {{ {_ERROR} ... on Run {{ {_RUN} }} }} }}"
EVENTS = f"""
query ($id: ID!) {{ logsForRun(runId: $id) {{
  {_ERROR}
  ... on EventConnection {{ events {{
    __typename
    ... on ExecutionStepFailureEvent {{
      stepKey message error {{ message cause {{ message }} }} failureMetadata {{ description }}
    }}
  }} }}
}} }}
"""
LAUNCH = f"""
mutation ($parameters: ExecutionParams!) {{ launchRun(executionParams: $parameters) {{
  {_ERROR} ... on LaunchRunSuccess {{ run {{ runId }} }}
}} }}
"""
TICKS = f"""
query ($sensor: SensorSelector!, $limit: Int!) {{ sensorOrError(sensorSelector: $sensor) {{
  {_ERROR}
  ... on Sensor {{ sensorState {{ ticks(limit: $limit) {{
    timestamp status skipReason runIds runKeys error {{ message cause {{ message }} }}
  }} }} }}
}} }}
"""
CHECK = f"""
query ($asset: AssetKeyInput!, $check: String!) {{
  assetCheckExecutions(assetKey: $asset, checkName: $check, limit: 1) {{
    evaluation {{ timestamp success severity description {_METADATA} }}
  }}
}}
"""
OBSERVATIONS = f"""
query ($asset: AssetKeyInput!, $limit: Int!) {{ assetNodeOrError(assetKey: $asset) {{
  {_ERROR} ... on AssetNode {{ assetObservations(limit: $limit) {{
    timestamp runId partition description {_METADATA}
  }} }}
}} }}
"""
MATERIALIZATION = f"""
query ($asset: AssetKeyInput!, $days: [String!]!) {{ assetNodeOrError(assetKey: $asset) {{
  {_ERROR} ... on AssetNode {{ latestMaterializationByPartition(partitions: $days) {{
    timestamp runId partition description {_METADATA}
  }} }}
}} }}
"""

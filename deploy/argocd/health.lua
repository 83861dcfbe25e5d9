-- Health of a SearchAccess, SearchCluster or SearchAccessPolicy for Argo CD: as kstatus, and Suspended if it is suspended,
-- only observed, outside of the time in which it is valid, or not approved.
-- https://argo-cd.readthedocs.io/en/stable/operator-manual/health/
local health = { status = "Progressing", message = "The operator has not reconciled it yet" }

if obj.metadata.deletionTimestamp ~= nil then
  health.message = "Its rights are being revoked"
  return health
end

local status = obj.status
if status == nil or status.conditions == nil then
  return health
end

local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end
local ready = found["Ready"]
if ready == nil then
  return health
end

health.message = ready.reason
if ready.message ~= nil and ready.message ~= "" then
  health.message = ready.reason .. ": " .. ready.message
end

local spec = obj.spec or {}
if spec.suspend == true then
  health.status = "Suspended"
elseif status.observedGeneration ~= obj.metadata.generation then
  health.message = "The operator has not reconciled the newest generation yet"
elseif found["Stalled"] ~= nil and found["Stalled"].status == "True" then
  health.status = "Degraded"
elseif ready.status == "True" then
  health.status = "Healthy"
elseif spec.mode == "Observe" and (ready.reason == "ChangesPending" or ready.reason == "DriftDetected") then
  -- On purpose: changes are only reported.
  health.status = "Suspended"
elseif ready.reason == "NotYetValid" or ready.reason == "Expired" or ready.reason == "OutsideSchedule"
  or ready.reason == "PendingApproval" then
  -- On purpose: the time, or a missing approval, does not allow the rights.
  health.status = "Suspended"
end
return health

-- Health of a SearchAccessApproval for Argo CD. Nothing in it says whether it counts: that depends on the SearchAccess,
-- the policies, the admission policies and the time. The SearchAccess says so.
-- https://argo-cd.readthedocs.io/en/stable/operator-manual/health/
local spec = obj.spec or {}
return {
  status = "Healthy",
  message = "Generation " .. tostring(spec.generation) .. " of the SearchAccess " .. tostring(spec.name)
    .. " is approved here. Its condition Ready says whether that counts",
}

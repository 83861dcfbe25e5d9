-- The actions of a SearchAccess.
-- https://argo-cd.readthedocs.io/en/stable/operator-manual/resource_actions/
local spec = obj.spec or {}
local suspended = spec.suspend == true
return {
  ["refresh"] = { ["disabled"] = suspended },
  ["rotate"] = { ["disabled"] = suspended or spec.credential == nil },
  ["suspend"] = { ["disabled"] = suspended },
  ["resume"] = { ["disabled"] = not suspended },
}

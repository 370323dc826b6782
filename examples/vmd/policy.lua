-- A placement policy for POST /schedule?policy=lua. It answers as the server's own does, and keeps
-- machines off the nodes that they name in "excluded".
--
-- vm is the machine as it was sent. A node has name, zone, cpus, memory_mb, cpus_left and memory_left.
-- Return the nodes to choose, at most four, the best first, each with its index and score; and why.
local BEST = 4
local on = {} -- of each group: the nodes it is on

local function better(a, b)
  if a.score ~= b.score then return a.score > b.score end
  return a.index < b.index
end

local function excluded(vm)
  local set = {}
  for _, name in ipairs(vm.excluded or {}) do set[name] = true end
  return set
end

return function(vm, nodes, strategy)
  local out, fit = excluded(vm), {}
  local same = vm.group and (on[vm.group] or {}) or {}
  local no_cpus, no_memory, same_group = 0, 0, 0
  for index, node in ipairs(nodes) do
    if (not vm.zone or vm.zone == node.zone) and not out[node.name] then
      if same[node.name] then same_group = same_group + 1
      elseif node.cpus_left < vm.cpus then no_cpus = no_cpus + 1
      elseif node.memory_left < vm.memory_mb then no_memory = no_memory + 1
      else
        local cpus = (node.cpus_left - vm.cpus) * 1000 // node.cpus
        local memory = (node.memory_left - vm.memory_mb) * 1000 // node.memory_mb
        local empty = (cpus + memory) // 2
        fit[#fit + 1] = {index = index, name = node.name,
                         score = strategy == "spread" and empty or 1000 - empty}
      end
    end
  end
  table.sort(fit, better)
  local best = {}
  for i = 1, math.min(#fit, BEST) do best[i] = fit[i] end
  local reason
  if #fit == 0 then
    reason = string.format("none of %d nodes has room: ", no_cpus + no_memory + same_group)
  else
    local score = fit[1].score
    reason = string.format("the %s of %d that have room, %d.%d %%; ",
                           strategy == "spread" and "emptiest" or "fullest", #fit, score // 10, score % 10)
    if vm.group then
      same[fit[1].name] = true
      on[vm.group] = same
    end
  end
  reason = reason .. string.format("%d lack cpus, %d lack memory", no_cpus, no_memory)
  if same_group > 0 then reason = reason .. string.format(", %d have one of its group", same_group) end
  return best, reason
end

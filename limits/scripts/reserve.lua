-- KEYS: the reservation, the buckets. ARGV: the reservation's ttl and a lease's time
-- in microseconds, its id; for each bucket: span ('l' for leases), amount, want, need.
-- Returns granted (1), refused (0) or used before (-1), then for each bucket: remaining,
-- charged, reset, refused (1, 2: always will be), retry after, slot.
local at = now()
local ttl, lease, id = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local old = redis.call('HMGET', KEYS[1], 'd', 'g', 's')
if old[3] then return {-1} end
local replay = old[1] and tonumber(old[1]) > at
local before = {}
if replay then for n in string.gmatch(old[2], '%d+') do before[#before + 1] = tonumber(n) end end

local out, counters, refused = {1}, {}, false
for i = 2, #KEYS do
  local a = (i - 2) * 4 + 3
  local span, amount, want, need = ARGV[a + 1], tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local used, c
  if span == 'l' then
    used = redis.call('ZCOUNT', KEYS[i], '(' .. whole(at), '+inf')
  else
    c = load(KEYS[i], span, at)
    used = c.total
  end
  counters[i] = c or false
  local left, charged, no, retry, slot = amount - used, 0, 0, 0, c and c.head or 0
  if replay then
    charged, slot = before[(i - 2) * 2 + 1] or 0, before[(i - 2) * 2 + 2] or 0
  elseif need <= left then
    charged = math.min(want, left)
  else
    refused = true
    if need > amount then no = 2
    else
      no = 1
      retry = c and frees(c, amount - need) or 1000000
    end
  end
  local o = #out
  out[o + 1], out[o + 2], out[o + 3], out[o + 4], out[o + 5], out[o + 6] = math.max(left, 0), charged, 0, no, retry, slot
end

if refused then out[1] = 0 end
local grants = {}
for i = 2, #KEYS do
  local o, c = (i - 2) * 6 + 1, counters[i]
  local charged = out[o + 2]
  if refused then
    out[o + 2] = 0
  elseif not replay then
    out[o + 1] = out[o + 1] - charged
    if c then
      add(c, charged)
      save(c)
    else
      redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', whole(at))
      redis.call('ZADD', KEYS[i], whole(at + lease), id)
      redis.call('PEXPIRE', KEYS[i], whole(math.ceil(lease / 1000) + SLACK))
    end
    grants[#grants + 1] = whole(charged)
    grants[#grants + 1] = whole(out[o + 6])
  end
  if c then out[o + 3] = resets(c) end
end
if not refused and not replay then
  redis.call('HSET', KEYS[1], 'd', whole(at + ttl), 'g', table.concat(grants, ' '))
  redis.call('PEXPIRE', KEYS[1], whole(math.ceil(ttl / 1000) + SLACK))
end
return out

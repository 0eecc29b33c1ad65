-- KEYS: for each reservation its key and those of its leases. ARGV: the reservation's ttl
-- and a lease's time in microseconds; for each reservation: its id, how many leases.
local at = now()
local ttl, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local k, renewed = 1, 0
for a = 3, #ARGV, 2 do
  local key, n = KEYS[k], tonumber(ARGV[a + 1])
  local d = redis.call('HGET', key, 'd')
  if d and tonumber(d) > at then
    redis.call('HSET', key, 'd', whole(at + ttl))
    redis.call('PEXPIRE', key, whole(math.ceil(ttl / 1000) + SLACK))
    for i = k + 1, k + n do
      redis.call('ZADD', KEYS[i], whole(at + lease), ARGV[a])
      redis.call('PEXPIRE', KEYS[i], whole(math.ceil(lease / 1000) + SLACK))
    end
    renewed = renewed + 1
  end
  k = k + n + 1
end
return {renewed}

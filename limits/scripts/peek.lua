-- KEYS: the buckets. ARGV: for each its span ('l' for leases) and amount. Returns for each
-- remaining and reset. It writes nothing.
local at = now()
local out = {}
for i = 1, #KEYS do
  local span, amount = ARGV[i * 2 - 1], tonumber(ARGV[i * 2])
  local used, reset = 0, 0
  if span == 'l' then
    used = redis.call('ZCOUNT', KEYS[i], '(' .. whole(at), '+inf')
  else
    local c = load(KEYS[i], span, at)
    used, reset = c.total, resets(c)
  end
  out[#out + 1] = math.max(amount - used, 0)
  out[#out + 1] = reset
end
return out

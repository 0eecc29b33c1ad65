-- Settles and releases. KEYS: the reservation, the buckets. ARGV: the time in microseconds for which the end
-- is remembered, 1 if it is not certain that there was a reservation, its id; for each
-- bucket: span ('l' for leases), slot, charged, final.
-- Returns 0 done, 1 late, 2 repeated, 3 there was none.
local at = now()
local keep, uncertain, id = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3]
local old = redis.call('HMGET', KEYS[1], 'd', 'g', 's')
if old[3] then return {2} end
local late = not old[1] or tonumber(old[1]) <= at
local none = uncertain and not old[1]
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 's', '1')
redis.call('PEXPIRE', KEYS[1], whole(math.ceil(keep / 1000)))
if none then return {3} end
local before = {}
if uncertain then for n in string.gmatch(old[2], '%d+') do before[#before + 1] = tonumber(n) end end

for i = 2, #KEYS do
  local a = (i - 2) * 4 + 3
  local span, slot, charged, final = ARGV[a + 1], tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  if span == 'l' then
    redis.call('ZREM', KEYS[i], id)
  else
    if uncertain then
      charged, slot = before[(i - 2) * 2 + 1] or 0, before[(i - 2) * 2 + 2] or 0
      if final < 0 then final = charged end
    end
    local c = load(KEYS[i], span, at)
    if final > charged then
      add(c, final - charged)
      save(c)
    elseif final < charged and slot > c.head - c.size and slot <= c.head then
      local part = partof(c, slot)
      local n = math.min(charged - final, part)
      if n > 0 then
        c.total = c.total - n
        if slot == c.head then c.part = c.part - n
        else redis.call('HSET', KEYS[i], whole(slot % c.size), whole(part - n)) end
        save(c)
      end
    end
  end
end
return {late and 1 or 0}

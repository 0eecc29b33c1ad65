-- What all steps share: the same arithmetic as span.go and counter.go.
-- Integers only, below 2^53; times are microseconds.
local SLOTS, RING, MOST, DAY = 60, 61, 4503599627370496, 86400000000
-- Keys outlive what they say by this many milliseconds, so that their end decides nothing.
local SLACK = 60000

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

local function whole(n) return string.format('%.0f', n) end

-- months since 1970 of a day since 1970, and the first day of the next month
local LENGTHS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
local function month(d)
  local first, y = 0, 1970
  while true do
    local leap = y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)
    if d >= first + (leap and 366 or 365) then
      first, y = first + (leap and 366 or 365), y + 1
    else
      for m = 1, 12 do
        first = first + LENGTHS[m] + ((leap and m == 2) and 1 or 0)
        if d < first then return (y - 1970) * 12 + m - 1, first end
      end
    end
  end
end

-- span is the width of a slot, or d, w, m for periods of the calendar
local function slotof(span, at)
  local d = math.floor(at / DAY)
  if span == 'd' then return d end
  if span == 'w' then return math.floor((d + 3) / 7) end
  if span == 'm' then return (month(d)) end
  return math.floor(at / span)
end

-- ending is when a slot no longer counts; of a month only that of the time at
local function ending(span, slot, at)
  if span == 'd' then return (slot + 1) * DAY end
  if span == 'w' then return ((slot + 1) * 7 - 3) * DAY end
  if span == 'm' then local _, first = month(math.floor(at / DAY)); return first * DAY end
  return (slot + RING) * span
end

local function sizeof(span)
  if tonumber(span) then return RING end
  return 1
end

-- load reads a counter as it is at a time: head, total, the part of the head's slot, and
-- the slots that no longer count
local function load(key, span, at)
  local c = {key = key, span = span, at = at, size = sizeof(span), gone = {}, part = 0}
  c.head = slotof(span, at)
  local v = redis.call('HMGET', key, 'h', 'n', whole(c.head % c.size))
  local head = tonumber(v[1])
  c.total = tonumber(v[2]) or 0
  if not head or c.total == 0 then
    c.total = 0
    c.stale = head ~= nil
  elseif head > c.head then -- another server's clock was ahead
    c.head = head
    c.part = tonumber(redis.call('HGET', key, whole(head % c.size))) or 0
  elseif head == c.head then
    c.part = tonumber(v[3]) or 0
  elseif c.head - head >= c.size then
    c.total, c.stale = 0, true
  else
    for k = head + 1, c.head do c.gone[#c.gone + 1] = whole(k % RING) end
    local parts = redis.call('HMGET', key, unpack(c.gone))
    for _, n in ipairs(parts) do c.total = c.total - (tonumber(n) or 0) end
  end
  return c
end

-- save writes a counter after a charge of the head's slot
local function save(c)
  if c.stale then redis.call('DEL', c.key)
  elseif #c.gone > 0 then redis.call('HDEL', c.key, unpack(c.gone)) end
  redis.call('HSET', c.key, 'h', whole(c.head), 'n', whole(c.total), whole(c.head % c.size), whole(c.part))
  local ms = math.ceil((ending(c.span, c.head, c.at) - c.at) / 1000)
  redis.call('PEXPIRE', c.key, whole(math.max(ms, 0) + SLACK))
end

local function add(c, n)
  n = math.min(n, MOST - c.total)
  c.total, c.part = c.total + n, c.part + n
end

-- part of a slot that counts still
local function partof(c, slot)
  if slot == c.head then return c.part end
  if c.stale or c.total == 0 then return 0 end
  local f = whole(slot % c.size)
  for _, g in ipairs(c.gone) do if g == f then return 0 end end
  return tonumber(redis.call('HGET', c.key, f)) or 0
end

-- resets is the time until nothing counts
local function resets(c)
  if c.total == 0 then return 0 end
  local slot = c.head
  while c.size > 1 and slot > c.head - RING and partof(c, slot) == 0 do slot = slot - 1 end
  return math.max(ending(c.span, slot, c.at) - c.at, 0)
end

-- frees is the time until at most so much counts
local function frees(c, most)
  local slot = c.head
  if c.size > 1 then
    local left = c.total
    slot = c.head - SLOTS
    while slot < c.head do
      left = left - partof(c, slot)
      if left <= most then break end
      slot = slot + 1
    end
  end
  return math.max(ending(c.span, slot, c.at) - c.at, 0)
end

-- What every script begins with: the clock, the head of the log, rows, floors. `scripts.rs` puts it before each.
-- ARGV: 1 the beginning of all keys, 2 and 3 the client's clocks in microseconds (tests only; empty: the server's own),
-- 4 the newest number that the client knows, 5 microseconds for which a floor is kept. What is a script's own follows.
local REV, LOG, ENDS, LIVE, DUE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local base = ARGV[1]
local function arg(n) return ARGV[5 + n] end
local function text(n) return string.format('%.0f', n) end
local t, b = tonumber(ARGV[2]), tonumber(ARGV[3])
if not t then
  local c = redis.call('TIME')
  t = c[1] * 1000000 + c[2]
  b = t
end
local known, keep = tonumber(ARGV[4]), tonumber(ARGV[5])
local head = redis.call('HMGET', REV, 'seq', 'trimmed', 'site', 'origin', 'last')
local seq, trimmed, site = tonumber(head[1]), tonumber(head[2] or 0), tonumber(head[3] or 0)
local origin, last = tonumber(head[4] or 0), tonumber(head[5] or 0)
local changed = false
if not seq then
  -- No log: it is new, or it was lost with what it revoked. What was issued before is refused from here on.
  seq = math.max(known + 1, t)
  trimmed, site, origin, last, changed = seq, 0, seq, 0, true
  redis.call('DEL', LOG)
  -- Sessions that are there still have serials, and the newest must not be taken for the oldest.
  local newest = redis.call('ZREVRANGE', LIVE, 0, 0, 'WITHSCORES')[2]
  if newest then redis.call('HSET', REV, 'serial', newest) end
end

local function save()
  if changed then
    redis.call('HSET', REV, 'seq', text(seq), 'trimmed', text(trimmed), 'site', text(site), 'origin', text(origin),
      'last', text(last))
    changed = false
  end
end

local function floor_of(what)
  local found = redis.call('HGET', REV, what)
  if not found then return 0 end
  return tonumber(string.match(found, '^%d+'))
end

local function entry(number, floor, what) return text(number) .. ' ' .. text(floor) .. ' ' .. what end

-- The newest entry is there, or the log was taken away from behind its head.
local function is_whole()
  return last <= trimmed or tonumber(redis.call('ZREVRANGE', LOG, 0, 0, 'WITHSCORES')[2] or 0) == last
end

-- Where it was, nobody is to go on from before: a newer entry would hide it.
local function own_up()
  if not is_whole() then trimmed, changed = seq, true end
end

-- Raises the number: that is a commit, too.
local function raise()
  seq, changed = math.max(seq + 1, t), true
end

-- Writes an entry of the log, its head with it, and the floor that it is. A script that is cut off at a command that fails
-- must leave no log that is newer than its head.
local function append(what, floor)
  own_up()
  raise()
  last = seq
  floor = floor or seq
  redis.call('ZADD', LOG, text(seq), entry(seq, floor, what))
  local kind = string.sub(what, 1, 1)
  if kind == 'A' then
    site = math.max(site, floor)
  elseif kind ~= 'S' then
    floor = math.max(floor, floor_of(what))
    redis.call('HSET', REV, what, text(floor) .. ' ' .. text(t + keep))
    redis.call('ZADD', ENDS, text(t + keep), what)
  end
  save()
end

local judged = { 'k', 'p', 'q', 'n', 'a', 'u', 'i', 'f', 'o', 'd', 'x', 's' }
local all = { 'k', 'p', 'q', 'n', 'a', 'u', 'i', 'f', 'o', 'd', 'x', 's', 'v', 'c', 'l' }
-- A row as a table, what is sealed in it only where that is asked for; nil where there is none.
local function row(key, sealed)
  local names = sealed and all or judged
  local found = redis.call('HMGET', key, unpack(names))
  if not found[1] then return nil end
  local r = {}
  for at, name in ipairs(names) do r[name] = found[at] end
  return r
end

local floors = {}
-- How a row died: '1' revoked, '2' idle, '3' ended; nil while it lives.
local function judge(r)
  if r.d then return r.d end
  if not floors[r.p] then floors[r.p] = math.max(site, origin, floor_of('P' .. r.p)) end
  if tonumber(r.q) < floors[r.p] then return '1' end
  if t >= tonumber(r.a) then return '3' end
  if b - tonumber(r.u) >= r.i * 1000000 then return '2' end
  return nil
end

-- Whether a dead row waits: a floor that stands for a lost log may be taken back.
local function waits(r, kind)
  return kind == '1' and not r.d and t < tonumber(r.a) and tonumber(r.q) >= math.max(site, floor_of('P' .. r.p))
end

local function reference(key) return string.sub(key, 1, 32) end
local function row_of(key) return base .. 's:' .. reference(key) end

-- Puts a tombstone in a live row's place. The principal's sessions are no key that the client names: a cluster that has moved
-- them already refuses the last command, and nothing rests on it.
local function bury(r, kind, after)
  local key = row_of(r.k)
  redis.call('HDEL', key, 'v', 'p', 'q', 'n', 'u', 'i', 'c', 'f', 'o', 'l')
  redis.call('HSET', key, 'd', kind)
  if after then redis.call('HSET', key, 'x', after) end
  redis.call('ZREM', LIVE, reference(r.k))
  redis.pcall('ZREM', base .. 'p:' .. r.p, reference(r.k))
end

-- Buries a row whose session ends before its time, and says so in the log; the tombstone has the number of that entry.
local function finish(r, kind, after)
  bury(r, kind, after)
  append('S' .. r.k)
  redis.call('HSET', row_of(r.k), 's', text(seq))
end

-- When a live row is to be looked at next.
local function look(r)
  return t + math.max(1000000, math.min(r.a - t, r.i * 1000000 - (b - r.u)))
end

-- Saves, and answers with the log after what the client knows.
local function answer(word, own)
  save()
  local entries, lost = {}, 0
  if known < trimmed then
    lost = 1
  else
    entries = redis.call('ZRANGEBYSCORE', LOG, '(' .. text(known), '+inf', 'LIMIT', 0, 500)
    if not is_whole() then lost = 1 end
  end
  return { word, own or {}, text(seq), text(math.max(site, origin)), lost, #entries == 500 and 1 or 0, entries }
end

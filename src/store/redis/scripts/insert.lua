-- KEYS: 6 the principal's sessions, 7 the new row, 8 the old row, 9 of a renewal: the row of the first of those that went on into
-- one another.
-- 1 what it comes after (empty, replace, renew), 2 its key, 3 what is sealed, 4 principal, 5 seq, 6 microseconds to its
-- absolute end, 7 seconds without use after which it is over, 8 '1' for kept, 9 what its tokens are known by, 10 cap,
-- 11 the old key.
local after, key, p, q, cap = arg(1), arg(2), arg(4), tonumber(arg(5)), tonumber(arg(10))
if q > seq or q < math.max(site, origin, floor_of('P' .. p)) then return answer('revoked') end
local there = row(KEYS[7])
if there then return answer(there.d and 'revoked' or 'again') end
local ends = t + tonumber(arg(6))
if after ~= '' then
  local old = row(KEYS[8])
  if old and old.k ~= arg(11) then old = nil end
  local dead = old and judge(old)
  if after == 'renew' and (not old or dead) then return answer('revoked') end
  if after == 'renew' then ends = math.min(ends, tonumber(old.a)) end
  if old and not old.d then
    finish(old, dead or '1', after == 'renew' and key or nil)
    -- However often it went on, from the first id it is one step.
    if after == 'renew' and redis.call('HGET', KEYS[9], 'd') then redis.call('HSET', KEYS[9], 'x', key) end
    -- What goes on keeps its tokens; what is replaced takes them along.
    if after == 'replace' and old.o then append('C' .. old.o) end
  else
    raise()
  end
end

-- Where there is room nobody is looked at, for all others wait on the server meanwhile. Dead ones are not counted, and those
-- beyond a few are left to sweeping.
local alive, evicted, buried = {}, {}, 0
local full = redis.call('ZCARD', KEYS[6]) >= cap
for _, ref in ipairs(full and redis.call('ZRANGE', KEYS[6], 0, -1) or {}) do
  local r = row(base .. 's:' .. ref)
  if not r or r.d then
    redis.call('ZREM', KEYS[6], ref)
  else
    local dead = judge(r)
    if dead and buried < 64 and not waits(r, dead) then
      bury(r, dead)
      buried = buried + 1
    elseif not dead then
      alive[#alive + 1] = r
    end
  end
end
table.sort(alive, function(x, y)
  if (x.f == '1') ~= (y.f == '1') then return x.f == '1' end
  return tonumber(x.n) < tonumber(y.n)
end)
for at = 1, #alive + 1 - cap do
  finish(alive[at], '1')
  evicted[at] = alive[at].k
end

local n = redis.call('HINCRBY', REV, 'serial', 1)
local r = { a = ends, u = b, i = tonumber(arg(7)) }
redis.call('HSET', KEYS[7], 'k', key, 'v', arg(3), 'p', p, 'q', text(q), 'n', n, 'a', text(ends), 'u', text(b), 'i', arg(7))
if arg(8) ~= '' then redis.call('HSET', KEYS[7], 'f', '1') end
if arg(9) ~= '' then redis.call('HSET', KEYS[7], 'o', arg(9)) end
local stays = math.max(1, math.ceil((ends - t) / 1000)) + 7200000
redis.call('PEXPIRE', KEYS[7], text(stays))
redis.call('ZADD', KEYS[6], n, reference(key))
redis.call('PEXPIRE', KEYS[6], text(math.max(stays, redis.call('PTTL', KEYS[6]))))
redis.call('ZADD', LIVE, n, reference(key))
redis.call('ZADD', DUE, text(look(r)), reference(key))
return answer('stored', evicted)

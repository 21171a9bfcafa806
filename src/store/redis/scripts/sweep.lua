-- 1: the most entries to look at. Answers at how many.
local budget, looked = tonumber(arg(1)), 0
for _, what in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', text(t), 'LIMIT', 0, budget)) do
  looked = looked + 1
  local ends = string.match(redis.call('HGET', REV, what) or '', ' (%d+)$')
  -- Raised since: it is looked at again when the newer floor can go.
  if ends and tonumber(ends) > t then
    redis.call('ZADD', ENDS, ends, what)
  else
    redis.call('ZREM', ENDS, what)
    redis.call('HDEL', REV, what)
  end
end
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', text(t), 'LIMIT', 0, budget - looked)) do
  looked = looked + 1
  local key = base .. 's:' .. ref
  local r = row(key)
  if r and not r.d then
    local dead = judge(r)
    if dead and waits(r, dead) then
      -- Until its end, or until somebody looks at it.
      r.d = dead
    elseif dead then
      bury(r, dead)
      r.d = dead
    end
  end
  if r and not r.d then
    redis.call('ZADD', DUE, text(look(r)), ref)
  elseif r and tonumber(r.a) > t then
    redis.call('ZADD', DUE, r.a, ref)
  else
    redis.call('DEL', key)
    redis.call('ZREM', DUE, ref)
    redis.call('ZREM', LIVE, ref)
  end
end
local before = math.min(t - 600000000, seq)
if before > trimmed and redis.call('ZCARD', LOG) > 1000 then
  -- The rest of a long log goes with the next steps.
  local step = redis.call('ZRANGEBYSCORE', LOG, '-inf', text(before), 'WITHSCORES', 'LIMIT', 99, 1)[2]
  before = tonumber(step) or before
  redis.call('ZREMRANGEBYSCORE', LOG, '-inf', text(before))
  trimmed, changed = before, true
  if step then looked = budget end
end
save()
return looked

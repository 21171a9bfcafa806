-- KEYS[6]: the row. 1: microseconds since the last use that the client knows of, or nothing.
save()
local r = row(KEYS[6], true)
if not r then return { 'none' } end
local used = tonumber(arg(1))
if used and not r.d and b - used > tonumber(r.u) then
  r.u = text(b - used)
  redis.call('HSET', KEYS[6], 'u', r.u)
end
local dead = judge(r)
if dead then
  -- What a floor killed stays: the floor may be that of a lost log, and be taken back.
  if not r.d and dead ~= '1' then bury(r, dead) end
  return { 'dead', r.k, dead }
end
return { 'live', r.k, r.v, text(r.a - t), text(b - r.u), r.c or '', r.l or '' }

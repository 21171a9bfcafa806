-- A session: KEYS from 6 on its row and those that went on from it; 1 'session', 2 its key, 3 what its tokens are known by
-- where that is to be a floor in any case. All else: 1 'floor', 2 what, 3 its floor if that is not this number.
if arg(1) == 'floor' then
  append(arg(2), tonumber(arg(3)))
  return answer('ok')
end
local at, first, live, dead = 6, nil, nil, nil
while true do
  local r = row(KEYS[at])
  if r and at == 6 and arg(3) == '' and r.k ~= arg(2) then r = nil end
  first = first or (r and r.k) or arg(2)
  if not r then break end
  if not r.d then
    live = r
    break
  end
  dead = dead or r
  if not r.x then break end
  at = at + 1
  -- Every key is to be named by the client: then a cluster that is moving them says so.
  if KEYS[at] ~= row_of(r.x) then return answer('more', { r.x }) end
end
if live then
  finish(live, '1')
elseif dead and dead.s and redis.call('ZSCORE', LOG, entry(dead.s, dead.s, 'S' .. first)) then
  -- Who says it again and again fills no log; the number is a commit of its own all the same.
  raise()
else
  append('S' .. first)
  if dead then redis.call('HSET', KEYS[6], 's', text(seq)) end
end
local tokens = arg(3) ~= '' and arg(3) or (live and live.o)
if tokens then append('C' .. tokens) end
return answer('ok')

-- KEYS from 6 on: rows. For each three words: microseconds since the use, '1' where the companion came along, the sealed
-- path or nothing. Answers for each whether it is there.
save()
local there = {}
for at = 6, #KEYS do
  local n = 3 * (at - 6)
  local r = redis.call('HMGET', KEYS[at], 'u', 'd')
  if r[1] and not r[2] then
    redis.call('HSET', KEYS[at], 'u', text(math.max(tonumber(r[1]), b - tonumber(arg(n + 1)))))
    if arg(n + 2) ~= '' then redis.call('HSET', KEYS[at], 'c', '1') end
    if arg(n + 3) ~= '' then redis.call('HSET', KEYS[at], 'l', arg(n + 3)) end
    there[#there + 1] = 1
  else
    there[#there + 1] = 0
  end
end
return there

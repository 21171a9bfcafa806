-- KEYS[1]: a document. 1: '1' where there is one, 2 what it is to be, 3 what it becomes. Answers whether it did.
local found = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if found ~= ARGV[2] then return 0 end
elseif found then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3])
return 1

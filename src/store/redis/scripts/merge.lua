-- 1 is for `raise.lua`. Then pairs: what, and its floor. What is known here changes nothing. Answers
-- with the newest entry.
own_up()
for at = 2, #ARGV - 5, 2 do
  local what, floor = arg(at), tonumber(arg(at + 1))
  local kind = string.sub(what, 1, 1)
  if kind == 'S' then
    local r = row(row_of(string.sub(what, 2)))
    if r and not r.d and r.k == string.sub(what, 2) then
      finish(r, '1')
    end
  elseif kind == 'A' then
    if site < floor then append(what, floor) end
  elseif floor_of(what) < floor then
    append(what, floor)
  end
end
return answer('ok', redis.call('ZREVRANGE', LOG, 0, 0))

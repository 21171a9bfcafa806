-- 1: the number from which on the client knows every entry up to its newest. Then pairs: what, and its floor.
if known > seq then
  -- What was revoked between is known as far as it is told here; where that is not all, everything before is refused.
  local whole = tonumber(arg(1)) <= seq
  seq, changed = math.max(known + 1, t), true
  if not whole then origin = seq end
end
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
return answer('ok')

-- 1: the number from which on the client knows every entry up to its newest.
if known > seq then
  -- What was revoked between is known as far as it is told here; where that is not all, everything before is refused.
  local whole = tonumber(arg(1)) <= seq
  seq, changed = math.max(known + 1, t), true
  if not whole then origin = seq end
end

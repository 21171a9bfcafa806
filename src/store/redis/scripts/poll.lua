-- 1: '1' where the number may be raised because nothing was revoked for a minute.
if arg(1) == '1' and t >= seq + 60000000 then seq, changed = t, true end
return answer('ok')

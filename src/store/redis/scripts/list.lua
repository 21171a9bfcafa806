-- 1: the serial to go on from, 2: the most rows. Answers with the last serial and the live rows, seven parts each, one row
-- after the other: a reply has few lists, whatever it says (see resp.rs).
save()
local found = redis.call('ZRANGEBYSCORE', LIVE, '(' .. arg(1), '+inf', 'WITHSCORES', 'LIMIT', 0, arg(2))
local rows, upto = {}, ''
for at = 1, #found, 2 do
  local r = row(base .. 's:' .. found[at], true)
  upto = found[at + 1]
  if not r then
    redis.call('ZREM', LIVE, found[at])
  elseif not judge(r) then
    for _, part in ipairs({ 'live', r.k, r.v, text(r.a - t), text(b - r.u), r.c or '', r.l or '' }) do
      rows[#rows + 1] = part
    end
  end
end
return { upto, rows }

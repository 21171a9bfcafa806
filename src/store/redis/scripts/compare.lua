-- Entries that the client has applied, the newest first, as the log writes them. Answers how many of them are not here before
-- the first that is (as many as there are: none is), and with the log after that one. A server that starts anew, or a
-- replica that takes over, has all that there was up to some moment and nothing after it: where an entry is, all before it are.
local missing = #ARGV - 5
for at = 1, #ARGV - 5 do
  if tonumber(redis.call('ZSCORE', LOG, arg(at)) or 0) > trimmed then
    missing = at - 1
    -- By a clock that is behind, newer ones than it may have lower numbers than the client knows.
    known = tonumber(string.match(arg(at), '^%d+'))
    break
  end
end
return answer('ok', { text(missing) })

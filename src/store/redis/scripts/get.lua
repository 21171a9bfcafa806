-- KEYS[1]: a document. It is read by a script that could write, which only a primary runs that others still follow: a replica, or
-- a primary that was deposed, would answer with an older one.
return redis.call('GET', KEYS[1])

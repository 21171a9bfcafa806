-- The operator's word that nothing was revoked in a log that was lost.
origin = 0
append('A', site)
return answer('ok')

-- The client has seen a number that this log does not have: part of it was lost. Nothing is done before it is mended.
if known > seq then return { 'fell', {}, text(seq), '0', 1, 0, {} } end

-- Gives units of quotas back. KEYS are their counters, ARGV[1] the units. What is no longer counted stays so.
for _, key in ipairs(KEYS) do
  local used = tonumber(redis.call('GET', key))
  if used then
    redis.call('SET', key, string.format('%.0f', math.max(used - tonumber(ARGV[1]), 0)), 'KEEPTTL')
  end
end
return 1

-- A chat request of PROMPT_BYTES, a new one every time, and the result on one line.
local bytes = tonumber(os.getenv("PROMPT_BYTES") or "4000")
local filler = string.rep("All work and no play. ", math.ceil(bytes / 22)):sub(1, bytes)
local count = 0

wrk.method = "POST"
wrk.headers["content-type"] = "application/json"

request = function()
  count = count + 1
  local body = '{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"'
    .. count .. " " .. filler .. '"}]}'
  return wrk.format(nil, nil, nil, body)
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %.1f %d %d %d\n",
    summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end

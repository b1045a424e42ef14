-- An order of two lines for each request, with customers and restaurants that vary.
wrk.headers["Content-Type"] = "application/json"
local number = 0
local line = '{"foodId":"F%d","foodName":"Dish %d","price":12.50,"quantity":%d,"discount":0.50}'

request = function()
  number = number + 1
  local lines = line:format(1, 1, 1) .. "," .. line:format(2, 2, 2)
  local body = ('{"userId":"C%d","restaurantId":"R%d","paymentMethod":"cash","currency":"USD","orderDetails":[%s]}'):format(
    number % 997, number % 97, lines)
  return wrk.format("POST", "/v1/orders", wrk.headers, body)
end

done = function(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(("RESULT %d %d %d %d %d %d\n"):format(summary.requests, summary.duration, summary.errors.status, failed,
    latency:percentile(50), latency:percentile(99)))
end

-- Who talks to whom, for what, and how much?
SELECT
  client, server, protocol, server_port, max(name) AS name, count(*) AS conversations,
  sum(sent_bytes) AS sent_bytes, sum(received_bytes) AS received_bytes, sum(packets) AS packets,
  min(rtt_ns) AS least_rtt_ns
FROM conversations
GROUP BY client, server, protocol, server_port
ORDER BY sum(bytes) DESC, client, server, protocol, server_port
LIMIT 1000

-- Between which machines does TCP send again, and how far are they apart?
SELECT
  client, server, server_port, sum(retransmissions) AS retransmissions, sum(packets) AS packets,
  round(100.0 * sum(retransmissions) / sum(packets), 2) AS percent, min(rtt_ns) AS least_rtt_ns
FROM conversations
WHERE protocol = 6
GROUP BY client, server, server_port
HAVING sum(retransmissions) > 0
ORDER BY sum(retransmissions) DESC, client, server, server_port
LIMIT 100

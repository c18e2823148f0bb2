-- Between which machines does TCP send again, and how far are they apart?
SELECT
  client, server, server_port, retransmissions, packets,
  round(100 * CAST(retransmissions AS double) / CAST(packets AS double), 2) AS percent, least_rtt_ns
FROM (
  SELECT
    client, server, server_port, sum(retransmissions) AS retransmissions, sum(packets) AS packets,
    min(rtt_ns) AS least_rtt_ns
  FROM conversations
  WHERE protocol = 6
  GROUP BY client, server, server_port
) AS connections
WHERE retransmissions > 0
ORDER BY retransmissions DESC, client, server, server_port
LIMIT 100

-- Which servers' ports fill the mirror?
--
-- A filter rule that rejects one saves its share.
SELECT
  protocol, server_port, conversations, packets, bytes,
  round(100 * CAST(bytes AS double) / CAST(sum(bytes) OVER () AS double), 2) AS percent
FROM (
  SELECT protocol, server_port, count(*) AS conversations, sum(packets) AS packets, sum(bytes) AS bytes
  FROM conversations
  GROUP BY protocol, server_port
) AS ports
ORDER BY bytes DESC, protocol, server_port
LIMIT 50

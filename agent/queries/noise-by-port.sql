-- Which servers' ports fill the mirror?
--
-- A filter rule that rejects one saves its share.
SELECT
  protocol, server_port, count(*) AS conversations, sum(packets) AS packets, sum(bytes) AS bytes,
  round(100.0 * sum(bytes) / max(total), 2) AS percent
FROM conversations
CROSS JOIN (SELECT sum(bytes) AS total FROM conversations) AS everything
GROUP BY protocol, server_port
ORDER BY sum(bytes) DESC, protocol, server_port
LIMIT 50

-- Whom did a client first talk to in the last day of the log?
WITH pairs AS (
  SELECT client, server, min(first_ns) AS first_ns, sum(bytes) AS bytes, max(name) AS name
  FROM conversations
  GROUP BY client, server
),
latest AS (SELECT max(last_ns) AS now_ns, min(first_ns) AS began_ns FROM conversations)
SELECT client, server, name, first_ns, bytes
FROM pairs
CROSS JOIN latest
WHERE first_ns > now_ns - 86400000000000 AND now_ns - began_ns > 86400000000000
ORDER BY first_ns, client, server
LIMIT 1000

-- Which addresses sent and received most?
SELECT address, sum(sent) AS bytes_sent, sum(received) AS bytes_received, sum(packets) AS packets
FROM (
  SELECT client AS address, sent_bytes AS sent, received_bytes AS received, packets FROM conversations
  UNION ALL
  SELECT server, received_bytes, sent_bytes, packets FROM conversations
) AS ends
GROUP BY address
ORDER BY sum(sent) + sum(received) DESC, address
LIMIT 50

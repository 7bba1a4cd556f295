-- Whether a new conversation answers a push is asked of the line before its opening, by key: while the statistics say
-- that entry is empty, the plan that the trigger keeps would read all of it for each conversation.
alter function conversation_answers_push() set enable_seqscan = off;

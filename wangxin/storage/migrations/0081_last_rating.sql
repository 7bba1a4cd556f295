-- One rating counts for each shopper and business day, the last one: therefore when it was given.
alter table tally add rated_at timestamptz;
create index tally_rated on tally (shop_id, day) where score > 0;
update tally t set rated_at = e.at from entry e
 where t.score > 0 and e.shop_id = t.shop_id and e.thread_id = t.thread_id and e.lane = 0 and e.kind = 'rating'
   and e.body->>'conversation' = t.conversation_id::text;
-- What the fold still has in hand of these conversations.
update fold_cursor c set state = jsonb_set(c.state, '{tally,rated_ms}', to_jsonb(at_ms(t.rated_at)))
  from tally t
 where t.shop_id = c.shop_id and t.thread_id = c.thread_id and t.rated_at is not null
   and c.state->'tally'->>'conversation' = t.conversation_id::text;

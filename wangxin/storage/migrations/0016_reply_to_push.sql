-- A conversation that a shopper opens by answering a push is that rule's: the public line right before its opening is
-- the rule's, not older than a day. Decided once, when the conversation opens, whoever opens it.
create function conversation_answers_push() returns trigger language plpgsql as $$
begin
  if new.outbound_rule is null then
    new.outbound_rule := (
      select e.sender_id from entry e
       where e.shop_id = new.shop_id and e.thread_id = new.thread_id and e.lane = 0 and e.seq = new.opened_seq - 1
         and e.sender_kind = 'push' and e.at > new.opened_at - interval '1 day');
  end if;
  return new;
end $$;

create trigger conversation_answers_push before insert on conversation
  for each row execute function conversation_answers_push();

create index conversation_of_push on conversation (shop_id, outbound_rule) where outbound_rule is not null;

-- What an operator said who cleared an alert.
ALTER TABLE payment_history ADD COLUMN note TEXT;

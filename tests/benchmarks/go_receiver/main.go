// The receiver's Kafka job in Go: net/http and franz-go, one record a call, answered once it is acknowledged.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"crypto/subtle"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic        = "asleep.events"
	maxBodyBytes = 1 << 20
)

type session struct {
	ID string `json:"id"`
}

type inner struct {
	UserID    string  `json:"user_id"`
	SessionID string  `json:"session_id"`
	Session   session `json:"session"`
}

type envelope struct {
	inner
	Event        string `json:"event"`
	Data         inner  `json:"data"`
	CallbackData inner  `json:"callback_data"`
}

func (e *envelope) userID() string {
	return firstOf(e.UserID, e.Data.UserID, e.CallbackData.UserID)
}

func (e *envelope) sessionID() string {
	return firstOf(
		e.SessionID, e.Data.SessionID, e.CallbackData.SessionID,
		e.Data.Session.ID, e.CallbackData.Session.ID, e.Session.ID,
	)
}

type receiver struct {
	key   string
	kafka *kgo.Client
}

func (s *receiver) webhook(w http.ResponseWriter, r *http.Request) {
	receivedAt := time.Now()
	receipt, err := uuid.NewV7()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "no_receipt", "")
		return
	}
	receiptID := receipt.String()
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Api-Key")), []byte(s.key)) != 1 {
		refuse(w, http.StatusUnauthorized, "wrong_api_key", receiptID)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		refuse(w, status, "body_not_read", receiptID)
		return
	}
	var event envelope
	if err := json.Unmarshal(body, &event); err != nil {
		refuse(w, http.StatusBadRequest, "body_not_json", receiptID)
		return
	}
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	userID := firstOf(event.userID(), r.Header.Get("X-User-Id"))
	record := &kgo.Record{
		Topic: topic,
		Key:   []byte(strconv.Itoa(len(userID)) + ":" + userID + ":" + event.sessionID()),
		Value: body,
		Headers: []kgo.RecordHeader{
			{Key: "receipt_id", Value: []byte(receiptID)},
			{Key: "received_at", Value: strconv.AppendInt(nil, receivedAt.UnixMicro(), 10)},
			{Key: "path", Value: []byte(r.URL.Path)},
			{Key: "envelope", Value: []byte("1")},
			{Key: "user_id", Value: []byte(r.Header.Get("X-User-Id"))},
			{Key: "remote_address", Value: []byte(address)},
			{Key: "content_type", Value: []byte(r.Header.Get("Content-Type"))},
			{Key: "signature", Value: []byte("unchecked")},
			{Key: "event", Value: []byte(event.Event)},
			{Key: "session_id", Value: []byte(event.sessionID())},
		},
	}
	if err := s.kafka.ProduceSync(r.Context(), record).FirstErr(); err != nil {
		refuse(w, http.StatusServiceUnavailable, "log_unavailable", receiptID)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"received","receipt_id":"`+receiptID+`"}`)
}

func refuse(w http.ResponseWriter, status int, reason, receiptID string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": reason, "receipt_id": receiptID})
}

func firstOf(candidates ...string) string {
	for _, candidate := range candidates {
		if candidate != "" {
			return candidate
		}
	}
	return ""
}

// serve reads ADDRESS, BROKERS (comma-separated) and KEY from the environment.
func serve() error {
	kafka, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("BROKERS"), ",")...),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		// As for our own producer: records gather while the batch before them is on its way.
		kgo.ProducerLinger(0),
	)
	if err != nil {
		return err
	}
	defer kafka.Close()
	receiver := &receiver{key: os.Getenv("KEY"), kafka: kafka}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhook", receiver.webhook)
	server := http.Server{Addr: os.Getenv("ADDRESS"), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func main() {
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}
